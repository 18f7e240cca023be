-- dbstat sees the same pages as in a plain file.
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
CREATE INDEX t_v ON t(v);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
INSERT INTO t SELECT i, printf('%030d', i * 7919 % 2003) FROM c;
INSERT INTO t VALUES (5000, printf('%020000d', 1));
SELECT name, pagetype, count(*), sum(ncell), sum(payload), sum(unused) FROM dbstat GROUP BY 1, 2 ORDER BY 1, 2;
SELECT name, pageno, ncell, pgsize FROM dbstat WHERE aggregate = TRUE ORDER BY name;
SELECT path, pageno FROM dbstat WHERE name = 't' AND pagetype = 'internal';
SELECT sum(pgsize) = (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size) FROM dbstat;
