-- Reading a piece of a large blob on a new replica fetches a part of it.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB);
WITH RECURSIVE c(i, x) AS (SELECT 1, 1 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM c WHERE i < 250000)
INSERT INTO t SELECT 1, CAST(group_concat(printf('%08x', x), '') AS BLOB) FROM c;
INSERT INTO t VALUES (2, x'02');
--@ blob-write t b 1 1999990 'the end'
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
PRAGMA graft_prefetch = off;
SELECT b FROM t WHERE id = 2;
--@ blob-read t b 1 0 4
SELECT pages, pages_held < 50 FROM graft_status;
--@ blob-read t b 1 400000 8
SELECT pages_held BETWEEN 90 AND 200 FROM graft_status;
--@ blob-read t b 1 1999985 15
--@ blob-write t b 1 10 'from b'
PRAGMA graft_push;
--@ on a
PRAGMA graft_pull;
--@ blob-read t b 1 8 10
SELECT length(b) FROM t;
