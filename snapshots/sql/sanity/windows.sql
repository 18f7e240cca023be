-- Window functions over partitions, frames and exclusions.
CREATE TABLE t(id INTEGER PRIMARY KEY, g TEXT, v INT);
INSERT INTO t(g, v) VALUES ('a', 5), ('b', 3), ('a', 5), ('b', 9), ('a', 1), ('c', 4), ('b', 2);
SELECT id, g, v, row_number() OVER w, rank() OVER w, dense_rank() OVER w FROM t WINDOW w AS (PARTITION BY g ORDER BY v) ORDER BY g, v, id;
SELECT id, v, sum(v) OVER (ORDER BY id), avg(v) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM t;
SELECT id, lag(v) OVER w, lead(v, 2, -1) OVER w, first_value(v) OVER w, nth_value(v, 2) OVER w FROM t WINDOW w AS (ORDER BY id);
SELECT id, ntile(3) OVER (ORDER BY v, id), round(percent_rank() OVER (ORDER BY v), 3), round(cume_dist() OVER (ORDER BY v), 3) FROM t ORDER BY id;
SELECT id, count(*) OVER (ORDER BY v RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM t ORDER BY id;
SELECT id, group_concat(id) OVER (ORDER BY g GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING EXCLUDE TIES) FROM t ORDER BY id;
SELECT id, sum(v) FILTER (WHERE g <> 'b') OVER (ORDER BY id) FROM t;
