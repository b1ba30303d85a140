"""What every asynchronous part shares: blocks with tasks behind them, timers, wake-ups. On asyncio and trio alike."""
