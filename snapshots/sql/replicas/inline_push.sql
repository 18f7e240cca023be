-- What a small push carries is there at once, also when the remote goes away right after the first contact.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO t SELECT i, printf('%050d', i) FROM c;
PRAGMA graft_push;
--@ exists remote/_segments/*
--@ open b b.db?remote=file://$DIR/remote/app
SELECT count(*) FROM sqlite_schema;
--@ remove remote
SELECT count(*), sum(id), sum(length(v)) FROM t;
SELECT pages - pages_held FROM graft_status;
