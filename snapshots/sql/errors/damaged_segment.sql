-- A segment that is flipped, cut or gone: what needs it is an error that names it, the rest reads.
--@ vfs graft
--@ mask [0-9a-f]{32} ID
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE small(v);
INSERT INTO small VALUES ('fine');
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300)
INSERT INTO t SELECT i, CAST(printf('%064d', i * 982451653 % 7919) || hex(i * 2654435761 % 4294967291) || printf('%03000d', i * i) AS BLOB) FROM c;
PRAGMA graft_push;
--@ exists remote/_segments/*
