#!/bin/sh
# Buys two tickets from a running Railgate with nothing but curl: registers with the mailed code,
# signs in, finds a train, takes two seats together, pays on the sandbox's page, and shows that
# nobody else gets the same seat.
set -eu

PORT="${RAILGATE_PORT:-8080}"
BASE="${PUBLIC_URL:-http://127.0.0.1:$PORT}"
MAIL="${MAIL_URL:-http://127.0.0.1:$((PORT + 12))}"
RAILGATE="${RAILGATE:-railgate}"
FROM=DA
TO=CTG
CARD=4000000000000000
WAIT_SECONDS=30
TOKEN=
ANSWER="$(mktemp)"
trap 'rm -f "$ANSWER"' EXIT

heading() { printf '\n== %s\n\n' "$*"; }

fail() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}

new_id() {
    if [ -r /proc/sys/kernel/random/uuid ]; then
        cat /proc/sys/kernel/random/uuid
    else
        uuidgen | tr 'A-Z' 'a-z'
    fi
}

# Ten digits, as a national identity number has.
new_nid() { od -An -N5 -tu1 /dev/urandom | awk '{for (i = 1; i <= 5; i++) printf "%02d", 10 + $i % 90}'; }

day_after() { date -u -d "+$1 days" +%F 2>/dev/null || date -u -v "+$1d" +%F; }

# The first value of a name in the answer, without quotes.
value() { grep -o "\"$1\": *\(\"[^\"]*\"\|[0-9][0-9]*\)" "$ANSWER" | head -n 1 | sed 's/^[^:]*: *//; s/"//g'; }

values() { grep -o "\"$1\": *\(\"[^\"]*\"\|[0-9][0-9]*\)" "$ANSWER" | sed 's/^[^:]*: *//; s/"//g'; }

# call STATUS METHOD URL [BODY]: show the curl line, run it, keep the answer, demand the status.
call() {
    wanted="$1" method="$2" url="$3" body="${4:-}"
    printf '$ curl'
    [ "$method" = GET ] || printf ' -X %s' "$method"
    printf " '%s'" "$url"
    set -- -sS -o "$ANSWER" -w '%{http_code}' -X "$method" "$url"
    if [ -n "$TOKEN" ]; then
        printf ' \\\n    -H "Authorization: Bearer $TOKEN"'
        set -- "$@" -H "Authorization: Bearer $TOKEN"
    fi
    if [ -n "$body" ]; then
        printf " \\\\\n    -H 'Content-Type: application/json' \\\\\n    -d '%s'" "$body"
        set -- "$@" -H 'Content-Type: application/json' -d "$body"
    fi
    printf '\n'
    status="$(curl "$@")" || fail "$BASE does not answer: is \`make run\` running?"
    printf '%s %s\n\n' "$status" "$(cut -c 1-700 "$ANSWER")"
    [ "$status" = "$wanted" ] || fail "expected $wanted, got $status"
}

# until_found PATTERN URL: ask again until the answer has the pattern.
until_found() {
    left="$WAIT_SECONDS"
    while :; do
        set -- "$1" "$2"
        if [ -n "$TOKEN" ]; then
            curl -sS -o "$ANSWER" -H "Authorization: Bearer $TOKEN" "$2"
        else
            curl -sS -o "$ANSWER" "$2"
        fi
        grep -q "$1" "$ANSWER" && return
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "$2 does not say $1 within $WAIT_SECONDS seconds"
        sleep 1
    done
}

# sign_up NAME EMAIL PASSWORD: register with the mailed code and sign in.
sign_up() {
    TOKEN=
    registration="$(new_id)"
    call 201 PUT "$BASE/api/registration/registrations/$registration" \
        "{\"name\": \"$1\", \"email\": \"$2\", \"password\": \"$3\", \"mobile\": \"+8801712345678\", \"identity_kind\": \"nid\", \"identity_number\": \"$(new_nid)\"}"
    echo "The code comes by mail:"
    echo "\$ curl '$MAIL/api/mails?to=$2'"
    until_found '"subject": "[0-9]\{6\} is your' "$MAIL/api/mails?to=$2"
    code="$(value subject | cut -c 1-6)"
    printf '%s\n\n' "$(value subject)"
    call 201 PUT "$BASE/api/registration/registrations/$registration/confirmation" \
        "{\"code\": \"$code\"}"
    call 201 POST "$BASE/api/registration/sessions" \
        "{\"email\": \"$2\", \"password\": \"$3\"}"
    TOKEN="$(value access_token)"
}

run_tag="$(new_id | cut -c 1-8)"

heading "1. Register with the mailed code, and sign in"
sign_up "Rahima Khatun" "rahima.$run_tag@example.org" "tangerine-river-42"

heading "2. Find a train from Dhaka to Chattogram"
buyer_token="$TOKEN"
TOKEN=
call 200 GET "$BASE/api/ticket/stations?q=chatt"
run_id=
for days in 3 4 5 6; do
    call 200 GET "$BASE/api/ticket/runs?from=$FROM&to=$TO&date=$(day_after "$days")"
    run_id="$(value run_id)"
    [ -z "$run_id" ] || break
done
[ -n "$run_id" ] || fail "no train runs in the next days"
seat_class="$(value seat_class)"
echo "Train $(value train_number) $(value train_name), class $seat_class"
echo
call 200 GET "$BASE/api/order/runs/$run_id/availability?from=$FROM&to=$TO"

heading "3. Take two seats together"
TOKEN="$buyer_token"
order="$(new_id)"
call 201 PUT "$BASE/api/order/orders/$order" \
    "{\"run_id\": \"$run_id\", \"from\": \"$FROM\", \"to\": \"$TO\", \"seat_class\": \"$seat_class\", \"passengers\": [{\"name\": \"Rahima Khatun\", \"identity_kind\": \"nid\", \"identity_number\": \"$(new_nid)\"}, {\"name\": \"Abdul Karim\", \"identity_kind\": \"nid\", \"identity_number\": \"$(new_nid)\"}]}"
seat="$(value seat_id)"
letters="$(values coach_letter | head -n 2 | tr '\n' ' ')"
numbers="$(values seat_number | head -n 2 | tr '\n' ' ')"
echo "Coaches ${letters}seats ${numbers}until $(value expires_at)"

heading "4. Pay on the provider's page"
payment="$(new_id)"
call 201 PUT "$BASE/api/payment/payments/$payment" "{\"order_id\": \"$order\"}"
page="$(value redirect_url)"
echo "A browser opens the page; here curl sends its form with the card that approves:"
echo "\$ curl -X POST '$page' -d card=$CARD"
status="$(curl -sS -o "$ANSWER" -w '%{http_code}' -d "card=$CARD" "$page")"
[ "$status" = 303 ] || fail "the payment page answered $status"
echo "$status"
echo
echo "The provider tells the payment service, which asks order to confirm:"
until_found '"state": *"confirmed"' "$BASE/api/order/orders/$order"

heading "5. Two tickets"
call 200 GET "$BASE/api/order/orders/$order"
pnr="$(value pnr)"
tickets="$(values ticket_id | wc -l | tr -d ' ')"
[ -n "$pnr" ] || fail "the order has no PNR"
[ "$tickets" = 2 ] || fail "the order has $tickets tickets instead of 2"
echo "PNR $pnr"
values ticket_id | sed 's/^/Ticket /'

heading "6. Somebody else wants the same seat"
sign_up "Shirin Akter" "shirin.$run_tag@example.org" "lantern-meadow-17"
call 409 PUT "$BASE/api/order/orders/$(new_id)" \
    "{\"run_id\": \"$run_id\", \"from\": \"$FROM\", \"to\": \"$TO\", \"seat_ids\": [$seat], \"passengers\": [{\"name\": \"Shirin Akter\", \"identity_kind\": \"nid\", \"identity_number\": \"$(new_nid)\"}]}"
[ "$(value code)" = seat_taken ] || fail "refused as $(value code) instead of seat_taken"

heading "7. The books"
echo "\$ railgate audit --wait 20"
$RAILGATE audit --wait 20
