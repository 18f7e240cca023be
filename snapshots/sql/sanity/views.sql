-- Views read through to their tables, and follow what changes below.
CREATE TABLE sale(day TEXT, shop TEXT, amount INT);
INSERT INTO sale VALUES ('mon', 'north', 10), ('mon', 'south', 5), ('tue', 'north', 7), ('tue', 'south', 8);
CREATE VIEW by_day(day, total) AS SELECT day, sum(amount) FROM sale GROUP BY day;
CREATE VIEW best AS SELECT day FROM by_day WHERE total = (SELECT max(total) FROM by_day);
SELECT * FROM by_day ORDER BY day;
SELECT * FROM best ORDER BY day;
INSERT INTO sale VALUES ('tue', 'east', 1);
SELECT * FROM best;
INSERT INTO by_day VALUES ('wed', 1);
CREATE TEMP VIEW mine AS SELECT * FROM main.by_day;
SELECT count(*) FROM mine;
DROP TABLE sale;
SELECT * FROM by_day;
--@ reopen
SELECT name FROM sqlite_schema ORDER BY name;
