-- Verbs do not run inside the connection's own write transaction, and wait for no reader.
--@ vfs graft
--@ open main main.db?remote=file://$DIR/remote/app
CREATE TABLE t(v INT);
BEGIN;
INSERT INTO t VALUES (1);
PRAGMA graft_push;
PRAGMA graft_pull;
PRAGMA graft_reset;
COMMIT;
PRAGMA graft_push;
--@ open b main.db
BEGIN IMMEDIATE;
INSERT INTO t VALUES (2);
--@ on main
PRAGMA graft_push;
PRAGMA graft_pull;
--@ on b
COMMIT;
BEGIN;
SELECT * FROM t;
--@ on main
PRAGMA graft_push;
PRAGMA graft_pull;
--@ on b
SELECT * FROM t;
COMMIT;
