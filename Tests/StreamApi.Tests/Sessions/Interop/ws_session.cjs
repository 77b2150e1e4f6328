'use strict';

// Talks to /ws with the npm package ws and prints one JSON object with what it saw.
// Usage: node ws_session.cjs <ws://host:port/ws> <stream with 500 numbered events> <stream with one event of 1 MiB> <empty stream>

const { WebSocket } = require('ws');

const [url, numbers, large, target] = process.argv.slice(2);

// Opens a session; `on` gets every message with a function that sends one.
function session(on, first) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const send = (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    socket.on('open', () => first.forEach(send));
    socket.on('message', (data, isBinary) => on(JSON.parse(data.toString()), send, socket, isBinary));
    socket.on('error', reject);
    socket.on('close', (code) => resolve(code));
  });
}

// A window of 20, acknowledged every 10; after 250 events the connection is cut and a new one goes on after the last position.
async function cutAndResume() {
  const seen = [];
  let position = 'start';
  let acknowledged = 0;
  let outstanding = 0;
  let paused = false;
  while (seen.length < 500) {
    acknowledged = seen.length;
    let isCut = false;
    await session((message, send, socket) => {
      if (isCut || message.type !== 'event') {
        return;
      }
      seen.push(message.event.data);
      position = message.event.position;
      outstanding = Math.max(outstanding, seen.length - acknowledged);
      if (seen.length === 250) {
        isCut = true;
        socket.terminate();
      } else if (seen.length === 500) {
        socket.close();
      } else if (seen.length % 10 === 0) {
        send({ type: 'ack', sub: 'n', position });
        acknowledged = seen.length;
      }
      if (seen.length === 300 && !paused) {
        paused = true;
        socket.pause();
        setTimeout(() => socket.resume(), 300);
      }
    }, [{ type: 'subscribe', sub: 'n', stream: numbers, from: position, window: 20 }]);
  }
  return { count: seen.length, ordered: seen.every((value, index) => value === index + 1), outstanding };
}

async function largeEvent() {
  const seen = {};
  seen.close = await session((message, send, socket) => {
    if (message.type === 'event') {
      seen.characters = message.event.data.length;
      socket.close(1000);
    }
  }, [{ type: 'subscribe', sub: '1', stream: large, from: 'start', window: 0 }]);
  return seen;
}

async function publish() {
  const seen = { types: [] };
  await session((message, send, socket, isBinary) => {
    seen.types.push(message.type);
    seen.binary = seen.binary || isBinary;
    if (message.type === 'error') {
      seen.error = { status: message.status, sub: message.sub ?? null };
      send({ type: 'publish', sub: 'p', streams: [target, `${target}-b`], events: [{ type: 'T', data: { big: 1 } }, { type: 'T' }] });
    } else if (message.type === 'published') {
      seen.results = message.results.map((result) => [result.stream.slice(target.length), result.status, result.accepted]);
      send({ type: 'ping' });
    } else if (message.type === 'pong') {
      socket.close();
    }
  }, ['this is no JSON']);
  return seen;
}

async function main() {
  console.log(JSON.stringify({ resumed: await cutAndResume(), large: await largeEvent(), published: await publish() }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
