-- After a pull every open connection sees the new state in its next transaction.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(v TEXT);
INSERT INTO t VALUES ('first');
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT * FROM t;
--@ open b2 b.db
SELECT * FROM t;
--@ open b3 b.db
BEGIN;
SELECT * FROM t;
--@ on a
UPDATE t SET v = 'second';
PRAGMA graft_push;
--@ on b
PRAGMA graft_pull;
SELECT * FROM t;
--@ on b2
SELECT * FROM t;
--@ on b3
SELECT * FROM t;
INSERT INTO t VALUES ('too late');
COMMIT;
SELECT * FROM t;
INSERT INTO t VALUES ('in time');
--@ on b
SELECT * FROM t;
