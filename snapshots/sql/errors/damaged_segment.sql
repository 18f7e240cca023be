-- A segment that is flipped, cut or gone: what needs it is an error that names it, the rest reads.
--@ vfs graft
--@ mask '[0-9a-f]{32}' ID
--@ mask 'page [0-9]+' 'page N'
--@ mask 'segment at [0-9]+ [+] [0-9]+' 'segment at N'
--@ mask '[0-9]+ bytes at [0-9]+' 'N bytes at N'
--@ mask 'before [0-9]+' 'before N'
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE small(v);
INSERT INTO small VALUES ('fine');
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i, x) AS (SELECT 0, 1 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM c WHERE i < 200000)
INSERT INTO t SELECT i / 400, group_concat(printf('%08x', x), '') FROM c GROUP BY i / 400;
PRAGMA graft_push;
--@ copy remote good
--@ flip remote/_segments/* 200000
--@ open b b.db?remote=file://$DIR/remote/app
PRAGMA graft_prefetch = off;
SELECT v FROM small;
--@ log on
SELECT count(*), sum(length(v)) FROM t;
--@ log off
SELECT v FROM small;
--@ truncate remote/_segments/* 10000
--@ log on
SELECT count(*), sum(length(v)) FROM t;
PRAGMA graft_hydrate;
--@ log off
--@ remove remote/_segments/*
--@ log on
SELECT count(*), sum(length(v)) FROM t;
--@ log off
INSERT INTO small VALUES ('still fine');
--@ remove remote
--@ copy good remote
SELECT count(*), sum(length(v)) FROM t;
PRAGMA graft_push;
PRAGMA integrity_check;
