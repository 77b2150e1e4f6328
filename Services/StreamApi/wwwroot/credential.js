const storageKey = 'aspirestreaming.credential';
const tokenShape = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** The token or API key that this tab sends, to both services. It is kept until the tab is closed, and nowhere else. */
export class Credential {
  #form = document.getElementById('credential-form');
  #input = document.getElementById('credential');
  #state = document.getElementById('credential-state');
  #value = sessionStorage.getItem(storageKey) ?? '';
  #onChange;

  constructor(onChange) {
    this.#onChange = onChange;
    this.#form.addEventListener('submit', event => {
      event.preventDefault();
      this.#set(this.#input.value.trim());
    });
    document.getElementById('credential-forget').addEventListener('click', () => this.#set(''));
    this.#show();
  }

  /** Whether one was given. Without, the browser's cookie may still say who reads. */
  get isGiven() {
    return this.#value !== '';
  }

  /** fetch with the credential in its header: never in an address, where logs would keep it. */
  fetch = (resource, options = {}) => {
    if (!this.isGiven) {
      return fetch(resource, options);
    }

    const headers = new Headers(options.headers);
    headers.set('authorization', `${tokenShape.test(this.#value) ? 'Bearer' : 'ApiKey'} ${this.#value}`);
    return fetch(resource, { ...options, headers });
  };

  #set(value) {
    this.#value = value;
    this.#input.value = '';
    if (value === '') {
      sessionStorage.removeItem(storageKey);
    } else {
      sessionStorage.setItem(storageKey, value);
    }

    this.#show();
    this.#onChange();
  }

  #show() {
    this.#state.textContent = this.isGiven ? 'in use until this tab is closed' : '';
    document.getElementById('credential-forget').hidden = !this.isGiven;
  }
}
