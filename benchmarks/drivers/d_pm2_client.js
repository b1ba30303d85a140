// JSON lines in, JSON lines out: what pm2 offers to programs, for d_pm2.py.
const pm2 = require(process.env.PM2_MODULE);
const rl = require('readline').createInterface({ input: process.stdin });
const call = (f, ...a) => new Promise((ok, no) => f.call(pm2, ...a, (e, r) => e ? no(e) : ok(r)));
const up = l => l.filter(p => p.pm2_env.status === 'online').length;
const ops = {
  connect: () => call(pm2.connect),
  start: m => call(pm2.start, m.app),
  stop: () => call(pm2.stop, 'c'),
  restart: () => call(pm2.restart, 'c'),
  one: async m => (await call(pm2.describe, m.i))[0].pm2_env.status,
  all: async () => up(await call(pm2.list)),
  kill: () => call(pm2.killDaemon),
  measure: async m => {
    const lat = [], ask = m.what === 'all' ? () => call(pm2.list) : () => call(pm2.describe, lat.length % m.n);
    await ask();
    let t = process.hrtime.bigint();
    const end = t + BigInt(Math.round(m.secs * 1e9));
    while (t < end) {
      await ask();
      const u = process.hrtime.bigint();
      lat.push(Number(u - t));
      t = u;
    }
    return lat;
  },
};
let chain = Promise.resolve();
rl.on('line', line => {
  const m = JSON.parse(line);
  chain = chain.then(() => ops[m.op](m))
    .then(r => process.stdout.write(JSON.stringify({ r: r === undefined || typeof r === 'object' && !Array.isArray(r) || m.op === 'start' ? null : r }) + '\n'),
          e => process.stdout.write(JSON.stringify({ e: String(e && e.message || JSON.stringify(e)) }) + '\n'));
});
rl.on('close', () => chain.then(() => process.exit(0)));
