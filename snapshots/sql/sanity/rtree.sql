-- R*Tree: boxes found by overlap and containment, with auxiliary columns.
CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1, +label TEXT);
WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 2499)
INSERT INTO box SELECT i, i % 50, i % 50 + 0.5, i / 50, i / 50 + 0.5, 'b' || i FROM c;
SELECT count(*) FROM box;
SELECT id, label FROM box WHERE x0 >= 10 AND x1 <= 12 AND y0 >= 20 AND y1 <= 21.9 ORDER BY id;
SELECT count(*) FROM box WHERE x1 >= 25 AND x0 <= 25.25;
UPDATE box SET x0 = 100, x1 = 101 WHERE id = 7;
DELETE FROM box WHERE y0 >= 10;
SELECT id FROM box WHERE x0 > 60;
INSERT INTO box VALUES (9999, 5, 1, 0, 0, 'inside out');
SELECT rtreecheck('box');
SELECT count(*) FROM box;
