-- Blobs across overflow pages; incremental reads and writes.
CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB);
INSERT INTO t VALUES (1, zeroblob(10000)), (2, x'0102030405'), (3, CAST(printf('%0100000d', 7) AS BLOB));
--@ blob-write t b 1 5000 'hello there'
--@ blob-read t b 1 4998 15
--@ blob-write t b 1 9995 'past the end'
--@ blob-read t b 2 0 5
--@ blob-read t b 3 99990 10
--@ blob-read t b 4 0 1
--@ blob-write t b 2 0 AB
SELECT id, b FROM t;
UPDATE t SET b = b || b WHERE id = 3;
SELECT length(b), substr(b, 99999, 3) FROM t WHERE id = 3;
--@ reopen
SELECT id, length(b), sum(length(b)) OVER () FROM t;
PRAGMA integrity_check;
