//! What keeps nodes alive: clocks, threads, ticks, supervision and the agent node
