'use strict';

// Talks to the Stream API with @grpc/grpc-js and prints one JSON object with what it saw.
// Usage: node grpc_session.cjs <host:port> <proto file> <stream with 500 numbered events> <stream with one event of 1 MiB>

const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const [address, protoFile, numbers, large] = process.argv.slice(2);
const definition = protoLoader.loadSync(protoFile, { keepCase: true, longs: Number, defaults: true, oneofs: true });
const { Streams } = grpc.loadPackageDefinition(definition).aspirestreaming.v1;
const client = new Streams(address, grpc.credentials.createInsecure());
const gzip = new Streams(address, grpc.credentials.createInsecure(), {
  'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
});

const text = (event) => event.data.toString('utf8');

function unary() {
  return new Promise((resolve, reject) => {
    client.Read({ stream: numbers, limit: 3 }, (error, page) => (error
      ? reject(error)
      : resolve({ data: page.events.map(text), caughtUp: page.caught_up })));
  });
}

function refused() {
  return new Promise((resolve) => {
    client.Read({ stream: 'a b' }, (error) => resolve({ code: error.code, type: error.metadata.get('problem-type')[0] }));
  });
}

// A call that is not answered in time; a page waits for its first event.
function deadline() {
  return new Promise((resolve) => {
    client.Read({ stream: `${numbers}-none`, wait_seconds: 30 }, { deadline: Date.now() + 300 }, (error) => resolve({ code: error.code }));
  });
}

// Reads a part, cancels, and goes on after the last position on a new call.
function subscribe(from, count) {
  return new Promise((resolve, reject) => {
    const seen = [];
    const call = client.Subscribe({ stream: numbers, from });
    let code = null;
    call.on('data', (item) => {
      if (item.event && seen.length < count) {
        seen.push(item.event);
        if (seen.length === count) {
          call.cancel();
        }
      }
    });
    call.on('error', (error) => { code = error.code; });
    call.on('end', () => (seen.length === count ? resolve({ seen, code }) : reject(new Error('ended early'))));
  });
}

async function cancelAndResume() {
  const first = await subscribe('start', 200);
  const second = await subscribe(first.seen[199].position, 300);
  const all = [...first.seen, ...second.seen].map((event) => Number(text(event)));
  return { count: all.length, ordered: all.every((value, index) => value === index + 1) };
}

// A session: a window of 20, acknowledged every 10, the reader paused for a while in the middle.
function session(service) {
  return new Promise((resolve, reject) => {
    const call = service.Session();
    const seen = [];
    const result = { outstanding: 0, controls: [] };
    let acknowledged = 0;
    call.on('data', (message) => {
      if (message.message === 'subscribed') {
        result.window = message.subscribed.window;
        result.position = message.subscribed.position;
      } else if (message.message === 'event') {
        seen.push(Number(text(message.event)));
        result.outstanding = Math.max(result.outstanding, seen.length - acknowledged);
        if (seen.length % 10 === 0) {
          call.write({ ack: { sub: message.sub, position: message.event.position } });
          acknowledged = seen.length;
        }
        if (seen.length === 250) {
          call.pause();
          setTimeout(() => call.resume(), 300);
        }
      } else if (message.message === 'control') {
        result.controls.push(message.control.name);
        call.write({ subscribe: { sub: 'n', stream: numbers } });
      } else if (message.message === 'error') {
        result.error = { sub: message.sub, status: message.error.status };
        call.write({ ping: {} });
      } else if (message.message === 'pong') {
        call.end();
      }
    });
    call.on('error', reject);
    call.on('status', (status) => resolve({
      ...result, code: status.code, count: seen.length, ordered: seen.every((value, index) => value === index + 1),
    }));
    call.write({ subscribe: { sub: 'n', stream: numbers, from: 'start', window: 20 } });
  });
}

function largeEvent() {
  return new Promise((resolve, reject) => {
    const call = gzip.Session();
    const seen = {};
    call.on('data', (message) => {
      if (message.message === 'event') {
        seen.bytes = message.event.data.length;
        call.end();
      }
    });
    call.on('error', reject);
    call.on('status', () => resolve(seen));
    call.write({ subscribe: { sub: '1', stream: large, from: 'start', window: 0 } });
  });
}

async function main() {
  const seen = {
    unary: await unary(),
    refused: await refused(),
    deadline: await deadline(),
    resumed: await cancelAndResume(),
    session: await session(client),
    compressedSession: await session(gzip),
    large: await largeEvent(),
  };
  console.log(JSON.stringify(seen));
  client.close();
  gzip.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
