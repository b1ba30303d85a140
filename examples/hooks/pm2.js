// A program as pm2 knows it: it says when it is ready, and ends by itself when it is asked to.
const server = require('http').createServer((req, res) => res.end('hello\n'))

server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  console.log('listening')
  process.send('ready')
})

process.on('message', (msg) => {
  if (msg === 'shutdown') {
    console.log('closing')
    server.close(() => process.exit(0))
  }
})
