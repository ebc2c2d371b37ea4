"""Which choice of seats seats the most passengers, tried on the real timetable."""
