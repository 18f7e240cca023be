-- An image that was cut short reads up to the cut, and says which page is missing.
--@ vfs graft
CREATE TABLE small(v);
INSERT INTO small VALUES ('fine');
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO t SELECT i, printf('%0100d', i) FROM c;
--@ close
--@ copy main.db good.db
--@ truncate main.db/image 40960
--@ reopen
SELECT v FROM small;
--@ log on
SELECT count(*), sum(length(v)) FROM t;
--@ log off
--@ close
--@ copy good.db/image main.db/image
--@ reopen
SELECT count(*), sum(length(v)) FROM t;
