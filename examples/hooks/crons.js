// Two jobs that do their work every so often, as globals.
class Cron {
  constructor(name) { this.name = name }
  start() {
    console.log(`${this.name} started`)
    this.timer = setInterval(() => console.log(`${this.name} sent`), 200)
  }
  stop() {
    clearInterval(this.timer)
    console.log(`${this.name} stopped`)
  }
}

global.instantEmailsCron = new Cron('instant emails')
global.dailyEmailsCron = new Cron('daily emails')
