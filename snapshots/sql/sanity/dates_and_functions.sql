-- Built-in functions that need no file still answer under any VFS.
SELECT date('2024-02-29', '+1 year'), strftime('%j %W', '2024-12-31'), julianday('2000-01-01 12:00');
SELECT unixepoch('2038-01-19 03:14:08'), datetime(0, 'unixepoch'), time('23:59:59', '+1 second');
SELECT typeof(julianday('now')), julianday('now') > 2460000, typeof(random()), length(randomblob(16));
SELECT instr('graft', 'a'), replace('aXbX', 'X', '-'), trim('  x '), ltrim('xxa', 'x'), substr('graft', -3, 2);
SELECT printf('%05.2f|%-6s|%x|%,d', 3.14159, 'ab', 255, 1234567), unicode('ä'), char(228, 8364), hex('ab');
SELECT round(2.5), round(-1.25, 1), abs(-7), sign(-3), ceil(1.2), sqrt(2) > 1.4142, pi() > 3.14, mod(7, 3);
SELECT 'graft' LIKE 'GR%', 'graft' GLOB 'GR*', 'a_b' LIKE 'a\_b' ESCAPE '\', iif(1 > 2, 'a', 'b'), nullif(1, 1);
SELECT soundex('Robert'), quote('it''s'), zeroblob(3), likely(1), max(1, 'a', x'00'), min(3, 2.5);
