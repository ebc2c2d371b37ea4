"""
Importers: turn a railway's published timetable into Railgate's normalised CSV files.

They read foreign files and write ours; they know no database and no network.
"""
