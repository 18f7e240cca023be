-- A rotten page that no remote holds is an error that names it; other pages go on.
--@ vfs graft
CREATE TABLE small(v);
INSERT INTO small VALUES ('fine');
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO t SELECT i, printf('%0100d', i) FROM c;
--@ close
--@ flip main.db/image 122900
--@ reopen
SELECT v FROM small;
--@ log on
SELECT count(*), sum(length(v)) FROM t;
--@ log off
SELECT v FROM small;
INSERT INTO small VALUES ('still fine');
--@ close
--@ flip main.db/image 122900
--@ reopen
SELECT count(*), sum(length(v)) FROM t;
PRAGMA integrity_check;
