do ->
  process.on 'message', (msg) ->
    switch msg
      when 'startRequest'
        instantEmailsCron.start()
        dailyEmailsCron.start()
        process.send 'workerStarted'
      when 'stopRequest'
        instantEmailsCron.stop()
        dailyEmailsCron.stop()
        process.send 'workerStopped'
