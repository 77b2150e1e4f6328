const fallbackUrl = 'http://localhost:5101';

/** Publishes a test event through the Publisher API. */
export class PublishForm {
  #form = document.getElementById('publish-form');
  #type = document.getElementById('publish-type');
  #data = document.getElementById('publish-data');
  #result = document.getElementById('publish-result');
  #submit = this.#form.querySelector('[type=submit]');
  #stream = null;
  #credential;

  constructor(credential) {
    this.#credential = credential;
    this.#form.addEventListener('submit', event => {
      event.preventDefault();
      this.#publish();
    });
  }

  select(stream) {
    this.#stream = stream;
    this.#show('', '');
  }

  async #publish() {
    const text = this.#data.value.trim();
    try {
      if (text !== '') {
        JSON.parse(text);
      }
    } catch (error) {
      this.#show(`The data is not JSON: ${error.message}`, 'bad');
      this.#data.focus();
      return;
    }

    // The data goes as it was written: parsing it here would change numbers that JavaScript cannot hold.
    const body = `{"type":${JSON.stringify(this.#type.value)}${text === '' ? '' : `,"data":${text}`}}`;
    this.#submit.disabled = true;
    this.#show('Publishing …', '');
    try {
      const publisher = (await this.#publisherUrl()).replace(/\/$/, '');
      const response = await this.#credential.fetch(`${publisher}/streams/${encodeURIComponent(this.#stream)}/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal: AbortSignal.timeout(20000),
      });
      const answer = await response.json().catch(() => ({}));
      if (response.ok) {
        this.#show(`Published at ${answer.last}`, 'good');
      } else {
        this.#show(answer.detail ?? answer.title ?? `The Publisher API answers ${response.status}.`, 'bad');
      }
    } catch (error) {
      this.#show(`The Publisher API cannot be reached: ${error.message}`, 'bad');
    } finally {
      this.#submit.disabled = false;
    }
  }

  async #publisherUrl() {
    const response = await this.#credential.fetch('config.json');
    return response.ok ? (await response.json()).publisherUrl : fallbackUrl;
  }

  #show(text, tone) {
    this.#result.textContent = text;
    this.#result.dataset.tone = tone;
  }
}
