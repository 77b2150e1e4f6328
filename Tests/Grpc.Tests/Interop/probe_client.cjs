'use strict';

// Calls the probe service with @grpc/grpc-js and prints one JSON object with what it saw.
// Usage: node probe_client.cjs <host:port> <proto file>

const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const [address, protoFile] = process.argv.slice(2);
const definition = protoLoader.loadSync(protoFile, { keepCase: true, longs: String, defaults: true });
const { Probe } = grpc.loadPackageDefinition(definition).aspirestreaming.tests.v1;
const client = new Probe(address, grpc.credentials.createInsecure());

function ending(error) {
  return { code: error.code, details: error.details };
}

function unary() {
  return new Promise((resolve, reject) => {
    const metadata = new grpc.Metadata();
    metadata.set('echo-text', 'head');
    metadata.set('trail-bytes-bin', Buffer.from([0, 128, 255]));
    const seen = {};
    const call = client.Echo({ text: 'hello', data: Buffer.alloc(100000, 7) }, metadata, (error, reply) => {
      if (error) {
        reject(error);
      } else {
        Object.assign(seen, { text: reply.text, bytes: reply.data.length, last: reply.data[99999] });
      }
    });
    call.on('metadata', (headers) => { seen.header = headers.get('echo-text')[0]; });
    call.on('status', (status) => {
      seen.trailer = [...status.metadata.get('trail-bytes-bin')[0]];
      resolve(seen);
    });
  });
}

function compressed() {
  const gzip = new Probe(address, grpc.credentials.createInsecure(), {
    'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
  });
  return new Promise((resolve, reject) => {
    gzip.Echo({ text: 'squeezed', data: Buffer.alloc(100000) }, (error, reply) => {
      gzip.close();
      return error ? reject(error) : resolve({ requestEncoding: reply.request_encoding, bytes: reply.data.length });
    });
  });
}

function failure(request) {
  return new Promise((resolve, reject) => {
    client.Fail(request, (error) => (error
      ? resolve({ ...ending(error), reason: error.metadata.get('reason')[0] ?? null })
      : reject(new Error('no error'))));
  });
}

function serverStream(request, onMessage) {
  return new Promise((resolve) => {
    const numbers = [];
    let status = {};
    const call = client.Expand(request);
    call.on('data', (message) => {
      numbers.push(message.number);
      onMessage?.(call, numbers.length);
    });
    call.on('error', (error) => { status = ending(error); });
    call.on('end', () => {
      resolve({ count: numbers.length, ordered: numbers.every((number, index) => number === index + 1), ...status });
    });
  });
}

function clientStream() {
  return new Promise((resolve, reject) => {
    const call = client.Collect((error, reply) => (error ? reject(error) : resolve({ text: reply.text, number: reply.number })));
    for (const text of ['a', 'b', 'c']) {
      call.write({ text });
    }
    call.end();
  });
}

function duplex() {
  return new Promise((resolve, reject) => {
    const replies = [];
    const call = client.Chat();
    call.on('data', (message) => {
      replies.push(message.text);
      if (replies.length < 5) {
        call.write({ text: `ping ${replies.length}` });
      } else {
        call.end();
      }
    });
    call.on('error', reject);
    call.on('end', () => resolve(replies));
    call.write({ text: 'ping 0' });
  });
}

function deadline() {
  return new Promise((resolve, reject) => {
    client.Hang({ text: 'node-deadline' }, { deadline: Date.now() + 300 },
      (error) => (error ? resolve(ending(error)) : reject(new Error('no error'))));
  });
}

(async () => {
  const seen = {
    unary: await unary(),
    compressed: await compressed(),
    failure: await failure({ code: 9, detail: '100% \u00fcmlaut' }),
    exception: await failure({ code: -1, detail: 'secret' }),
    serverStream: await serverStream({ count: 500, size: 50 }),
    cutStream: await serverStream({ count: 10, fail_after: 3 }),
    clientStream: await clientStream(),
    duplex: await duplex(),
    deadline: await deadline(),
    cancelled: await serverStream({ text: 'node-cancel', size: 200 }, (call, count) => {
      if (count === 3) {
        call.cancel();
      }
    }),
  };
  client.close();
  console.log(JSON.stringify(seen));
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
