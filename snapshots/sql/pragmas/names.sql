-- Which names are Graft's: by the suffix, by the directory, by the parameter; the rest is plain.
--@ vfs graft
ATTACH '$DIR/suffix.graft' AS a;
CREATE TABLE a.t AS SELECT 'suffix' AS v;
ATTACH 'file:$DIR/asked.db?vfs=graft' AS b;
CREATE TABLE b.t AS SELECT 'asked' AS v;
ATTACH '$DIR/plain.db' AS c;
CREATE TABLE c.t AS SELECT 'plain' AS v;
SELECT count(*) FROM graft_status('a');
SELECT count(*) FROM graft_status('b');
SELECT count(*) FROM graft_status('c');
DETACH a;
DETACH b;
DETACH c;
--@ exists suffix.graft/config
--@ exists asked.db/config
--@ exists plain.db/config
ATTACH '$DIR/asked.db' AS again;
SELECT v FROM again.t;
--@ open slash 'asked.db/?vfs=graft'
SELECT v FROM t;
--@ open plain plain.db?vfs=unix
SELECT v FROM t;
