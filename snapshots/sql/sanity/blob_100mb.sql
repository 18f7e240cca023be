-- A blob of 100 MB is written, filled here and there, read back, grown and deleted.
CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB);
INSERT INTO t VALUES (1, zeroblob(100000000));
--@ blob-write t b 1 0 first
--@ blob-write t b 1 50000000 middle
--@ blob-write t b 1 99999996 last
SELECT length(b), substr(b, 1, 5), substr(b, 50000001, 6), substr(b, -4) FROM t;
--@ reopen
--@ blob-read t b 1 49999998 10
--@ blob-read t b 1 99999990 10
--@ blob-read t b 1 25000000 4
PRAGMA page_count;
PRAGMA quick_check;
DELETE FROM t;
PRAGMA freelist_count;
