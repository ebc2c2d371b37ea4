"""The catalogue: stations, trains, runs and their versions, sales windows, and who changed what."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

# What was sold by a version must stay readable as it was, whatever the code above it does.
REFUSE_UPDATES = """
CREATE FUNCTION refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A row of % is never changed.', TG_TABLE_NAME;
END $$;
CREATE TRIGGER plan_is_immutable BEFORE UPDATE ON plan
    FOR EACH ROW EXECUTE FUNCTION refuse_update();
CREATE TRIGGER run_version_is_immutable BEFORE UPDATE ON run_version
    FOR EACH ROW EXECUTE FUNCTION refuse_update();
"""


def upgrade():
    _create_catalogue()
    _create_plan()
    _create_seat_class()
    _create_staff_change()
    _create_station()
    _create_timetable_load()
    _create_train()
    _create_coach()
    _create_fare()
    _create_run()
    _create_train_date()
    _create_train_stop()
    _create_run_change()
    _create_run_version()
    _create_sales_window()


def _create_catalogue():
    op.create_table(
        "catalogue",
        sa.Column("catalogue_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("catalogue_id = 1", name=op.f("ck_catalogue_one_row")),
        sa.PrimaryKeyConstraint("catalogue_id", name=op.f("pk_catalogue")),
    )


def _create_plan():
    op.create_table(
        "plan",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plan")),
    )


def _create_seat_class():
    op.create_table(
        "seat_class",
        sa.Column("seat_class", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_bn", sa.Text(), nullable=False),
        sa.Column("refund_category", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "refund_category IN ('ac', 'first', 'other')",
            name=op.f("ck_seat_class_refund_category"),
        ),
        sa.PrimaryKeyConstraint("seat_class", name=op.f("pk_seat_class")),
    )


def _create_staff_change():
    op.create_table(
        "staff_change",
        sa.Column("change_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", JSONB(), nullable=True),
        sa.Column("after", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_staff_change")),
    )


def _create_station():
    op.create_table(
        "station",
        sa.Column("station_code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_bn", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("station_code", name=op.f("pk_station")),
    )


def _create_timetable_load():
    op.create_table(
        "timetable_load",
        sa.Column("load_id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("retrieved_date", sa.Date(), nullable=True),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("load_id", name=op.f("pk_timetable_load")),
    )


def _create_train():
    op.create_table(
        "train",
        sa.Column("train_number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_bn", sa.Text(), nullable=False),
        sa.Column("running_days", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("is_imported", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("train_number", name=op.f("pk_train")),
    )


def _create_coach():
    op.create_table(
        "coach",
        sa.Column("train_number", sa.Text(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("coach_number", sa.Integer(), nullable=False),
        sa.Column("letter", sa.Text(), nullable=False),
        sa.Column("letter_bn", sa.Text(), nullable=False),
        sa.Column("seat_class", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("left_seats", sa.Integer(), nullable=False),
        sa.Column("right_seats", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "rows > 0 AND left_seats >= 0 AND right_seats >= 0 AND left_seats + right_seats > 0",
            name=op.f("ck_coach_has_seats"),
        ),
        sa.ForeignKeyConstraint(
            ["seat_class"], ["seat_class.seat_class"], name=op.f("fk_coach_seat_class_seat_class")
        ),
        sa.ForeignKeyConstraint(
            ["train_number"], ["train.train_number"], name=op.f("fk_coach_train_number_train")
        ),
        sa.PrimaryKeyConstraint("train_number", "from_date", "coach_number", name=op.f("pk_coach")),
    )


def _create_fare():
    op.create_table(
        "fare",
        sa.Column("train_number", sa.Text(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("seat_class", sa.Text(), nullable=False),
        sa.Column("from_code", sa.Text(), nullable=False),
        sa.Column("to_code", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.Integer(), nullable=False),
        sa.Column("vat_minor", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "0 <= vat_minor AND vat_minor <= price_minor", name=op.f("ck_fare_price")
        ),
        sa.ForeignKeyConstraint(
            ["from_code"], ["station.station_code"], name=op.f("fk_fare_from_code_station")
        ),
        sa.ForeignKeyConstraint(
            ["seat_class"], ["seat_class.seat_class"], name=op.f("fk_fare_seat_class_seat_class")
        ),
        sa.ForeignKeyConstraint(
            ["to_code"], ["station.station_code"], name=op.f("fk_fare_to_code_station")
        ),
        sa.ForeignKeyConstraint(
            ["train_number"], ["train.train_number"], name=op.f("fk_fare_train_number_train")
        ),
        sa.PrimaryKeyConstraint(
            "train_number", "from_date", "seat_class", "from_code", "to_code", name=op.f("pk_fare")
        ),
    )


def _create_run():
    op.create_table(
        "run",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("train_number", sa.Text(), nullable=False),
        sa.Column("service_date", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cancellation_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('scheduled', 'cancelled')", name=op.f("ck_run_state")),
        sa.ForeignKeyConstraint(
            ["train_number"], ["train.train_number"], name=op.f("fk_run_train_number_train")
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run")),
    )
    op.create_index("ix_run_service_date", "run", ["service_date"], unique=False)
    op.create_index(
        "uq_run_train_number_service_date", "run", ["train_number", "service_date"], unique=True
    )


def _create_train_date():
    op.create_table(
        "train_date",
        sa.Column("train_number", sa.Text(), nullable=False),
        sa.Column("service_date", sa.Date(), nullable=False),
        sa.Column("runs", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["train_number"], ["train.train_number"], name=op.f("fk_train_date_train_number_train")
        ),
        sa.PrimaryKeyConstraint("train_number", "service_date", name=op.f("pk_train_date")),
    )


def _create_train_stop():
    op.create_table(
        "train_stop",
        sa.Column("train_number", sa.Text(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("station_code", sa.Text(), nullable=False),
        sa.Column("arrives_minute", sa.Integer(), nullable=True),
        sa.Column("departs_minute", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["station_code"],
            ["station.station_code"],
            name=op.f("fk_train_stop_station_code_station"),
        ),
        sa.ForeignKeyConstraint(
            ["train_number"], ["train.train_number"], name=op.f("fk_train_stop_train_number_train")
        ),
        sa.PrimaryKeyConstraint(
            "train_number", "from_date", "sequence", name=op.f("pk_train_stop")
        ),
    )


def _create_run_change():
    op.create_table(
        "run_change",
        sa.Column("cursor", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_run_change_run_id_run")),
        sa.PrimaryKeyConstraint("cursor", name=op.f("pk_run_change")),
    )


def _create_run_version():
    op.create_table(
        "run_version",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.plan_id"], name=op.f("fk_run_version_plan_id_plan")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_run_version_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "version", name=op.f("pk_run_version")),
    )


def _create_sales_window():
    op.create_table(
        "sales_window",
        sa.Column("sales_window_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("train_number", sa.Text(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("from_date", sa.Date(), nullable=True),
        sa.Column("until_date", sa.Date(), nullable=True),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(run_id, train_number, zone) = 1", name=op.f("ck_sales_window_one_scope")
        ),
        sa.CheckConstraint(
            "run_id IS NOT NULL OR from_date < until_date", name=op.f("ck_sales_window_dates")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.run_id"], name=op.f("fk_sales_window_run_id_run")
        ),
        sa.ForeignKeyConstraint(
            ["train_number"],
            ["train.train_number"],
            name=op.f("fk_sales_window_train_number_train"),
        ),
        sa.PrimaryKeyConstraint("sales_window_id", name=op.f("pk_sales_window")),
    )
    op.execute(REFUSE_UPDATES)


def downgrade():
    op.drop_table("sales_window")
    op.drop_table("run_version")
    op.drop_table("run_change")
    op.drop_table("train_stop")
    op.drop_table("train_date")
    op.drop_table("run")
    op.drop_table("fare")
    op.drop_table("coach")
    op.drop_table("train")
    op.drop_table("timetable_load")
    op.drop_table("station")
    op.drop_table("staff_change")
    op.drop_table("seat_class")
    op.drop_table("plan")
    op.drop_table("catalogue")
    op.execute("DROP FUNCTION refuse_update()")
