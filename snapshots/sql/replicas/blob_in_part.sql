-- Reading a piece of a large blob on a new replica fetches a part of it.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB);
INSERT INTO t VALUES (1, zeroblob(4000000)), (2, x'02');
--@ blob-write t b 1 3999990 'the end'
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
PRAGMA graft_prefetch = off;
SELECT b FROM t WHERE id = 2;
--@ blob-read t b 1 0 4
SELECT pages, pages_held < 200 FROM graft_status;
--@ blob-read t b 1 3999985 15
--@ blob-write t b 1 10 'from b'
PRAGMA graft_push;
--@ on a
PRAGMA graft_pull;
--@ blob-read t b 1 8 10
SELECT length(b) FROM t;
