// The same as email.coffee, in JavaScript.
require('./crons')

process.on('message', (msg) => {
  switch (msg) {
    case 'startRequest':
      instantEmailsCron.start()
      dailyEmailsCron.start()
      process.send('workerStarted')
      break
    case 'stopRequest':
      instantEmailsCron.stop()
      dailyEmailsCron.stop()
      process.send('workerStopped')
      break
  }
})
