using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using Microsoft.Playwright;

namespace AspireStreaming.Browser.Tests.Support;

/// <summary>A tab that records what it is told; it shows a document of the host which brings no script of its own.</summary>
internal sealed class Tab : IAsyncDisposable
{
    private const string SubscribeScript =
        """
        async options => {
          const { subscribe } = await import('/aspirestreaming.js');
          globalThis.log = { events: [], controls: [], states: [] };
          globalThis.subscription = subscribe({
            ...options,
            onEvent: event => log.events.push([event.stream, event.data, event.position]),
            onControl: (name, data) => log.controls.push({ name, ...data }),
            onState: (state, error) => log.states.push(error ? `${state}: ${error.message}` : state),
          });
        }
        """;

    private const string EventSourceScript =
        """
        ({ path, names }) => {
          globalThis.log = { events: [], controls: [], states: [], times: [] };
          globalThis.source = new EventSource(path);
          const take = e => {
            const event = JSON.parse(e.data);
            log.events.push([event.stream, event.data, event.position]);
            log.ids ??= [];
            log.ids.push(e.lastEventId);
          };
          names.forEach(name => source.addEventListener(name, take));
          for (const name of ['stream.caught-up', 'stream.gap', 'stream.epoch', 'stream.drain', 'stream.end']) {
            source.addEventListener(name, e => log.controls.push({ name, ...JSON.parse(e.data) }));
          }
          source.onopen = () => { log.states.push('open'); log.times.push(performance.now()); };
          source.onerror = () => { log.states.push('error'); log.times.push(performance.now()); };
        }
        """;

    private Tab(IPage page) => Page = page;

    public IPage Page { get; }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static async Task<Tab> OpenAsync(IBrowserContext context, Uri host)
    {
        var page = await context.NewPageAsync();
        await page.GotoAsync(new Uri(host, "/alive").ToString());
        return new Tab(page);
    }

    /// <summary>Subscribes by the module.</summary>
    public Task SubscribeAsync(object options) => Page.EvaluateAsync(SubscribeScript, options);

    /// <summary>Subscribes by the browser's own EventSource.</summary>
    public Task OpenEventSourceAsync(string path, params string[] names) => Page.EvaluateAsync(EventSourceScript, new { path, names });

    /// <summary>The numbers in the events of a stream, as they came.</summary>
    public async Task<int[]> NumbersAsync(string stream) => await Page.EvaluateAsync<int[]>(
        "stream => log.events.filter(event => event[0] === stream).map(event => event[1])", stream);

    public Task<string[]> StatesAsync() => Page.EvaluateAsync<string[]>("() => log.states");

    /// <summary>What controls of a name told.</summary>
    public async Task<JsonElement[]> ControlsAsync(string name) =>
        [.. (await Page.EvaluateAsync<JsonElement>("name => log.controls.filter(control => control.name === name)", name)).EnumerateArray()];

    /// <summary>Waits for so many events of a stream, which must be 1, 2, 3, … in this order.</summary>
    public async Task ExpectAsync(string stream, int count)
    {
        try
        {
            await WaitUntilAsync(
                "([stream, count]) => log.events.reduce((sum, event) => sum + (event[0] === stream), 0) >= count",
                new object[] { stream, count },
                $"a tab has {count} events of {stream}");
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"{exception.Message} Recorded: {await Page.EvaluateAsync<string>("() => JSON.stringify(log)")}", exception);
        }

        Assert.Equal(Enumerable.Range(1, count), await NumbersAsync(stream));
    }

    public Task WaitForStateAsync(string state) => WaitUntilAsync("state => log.states.at(-1) === state", state, $"a tab is {state}");

    public Task WaitForControlAsync(string name) =>
        WaitUntilAsync("name => log.controls.some(control => control.name === name)", name, $"a tab was told {name}");

    public Task WaitUntilAsync(string condition, object? argument, string what) =>
        Eventually.TrueAsync(() => Page.EvaluateAsync<bool>(condition, argument), SseClient.Patience, what, Cancelled);

    public async ValueTask DisposeAsync()
    {
        if (!Page.IsClosed)
        {
            await Page.CloseAsync();
        }
    }
}
