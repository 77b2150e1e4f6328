// The npm package "eventsource": reads a stream until it has so many events, or until the server says that there are no more.
// Prints what came as JSON. Arguments: URL, number of events (0: read on until the end).
const { EventSource } = require('eventsource');

const [url, count] = [process.argv[2], Number(process.argv[3])];
const seen = { numbers: [], ids: [], opens: 0, controls: [], status: null };
const source = new EventSource(url);

function finish() {
  source.close();
  console.log(JSON.stringify(seen));
}

function take(event) {
  seen.numbers.push(JSON.parse(event.data).data);
  seen.ids.push(event.lastEventId);
  if (seen.numbers.length === count) {
    finish();
  }
}

for (const name of ['T', 'WORKFLOW_COMPLETED']) {
  source.addEventListener(name, take);
}
for (const name of ['stream.gap', 'stream.epoch', 'stream.end']) {
  source.addEventListener(name, event => seen.controls.push(name));
}
source.addEventListener('open', () => seen.opens++);
source.addEventListener('error', event => {
  if (source.readyState === EventSource.CLOSED) {
    seen.status = event.code;
    finish();
  }
});
