-- A commit of the remote that was flipped, cut or emptied is refused, by name; the replica keeps what it had.
--@ vfs graft
--@ mask [0-9a-f]{16,} ID
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(v TEXT);
INSERT INTO t VALUES ('first');
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT * FROM t;
--@ on a
INSERT INTO t VALUES ('second');
PRAGMA graft_push;
