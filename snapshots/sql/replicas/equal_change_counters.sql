-- Two histories whose headers agree in every change counter: reset still shows the other rows.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO t VALUES (1, 'base');
PRAGMA graft_push;
--@ open b b.db?remote=file://$DIR/remote/app
SELECT v FROM t;
UPDATE t SET v = 'from b' WHERE id = 1;
PRAGMA graft_push;
--@ on a
UPDATE t SET v = 'from a' WHERE id = 1;
SELECT v FROM t;
--@ open a2 a.db
SELECT v FROM t;
--@ on a
PRAGMA graft_reset;
SELECT v FROM t;
--@ on a2
SELECT v FROM t;
PRAGMA integrity_check;
