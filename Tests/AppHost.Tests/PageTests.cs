using System.Globalization;
using AspireStreaming.Browser.Tests.Support;
using AspireStreaming.SystemSupport.Publishing;
using AspireStreaming.TestSupport.Histories;
using Microsoft.Playwright;

namespace AspireStreaming.AppHost.Tests;

/// <summary>The page, in a real Chromium.</summary>
[Collection(SystemCollection.Name)]
public sealed class PageTests(SystemFixture system) : IAsyncLifetime
{
    private readonly string _stream = $"page-{Guid.NewGuid():N}";
    private readonly History _history = new();
    private Chromium? _chromium;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(Chromium.UnavailableReason is not null, Chromium.UnavailableReason ?? "");
        _chromium = await Chromium.StartAsync();
    }

    public ValueTask DisposeAsync() => _chromium?.DisposeAsync() ?? default;

    [Fact]
    public async Task Page_shows_events_as_they_come_and_publishes_a_test_event()
    {
        await using var publisher = new HttpPublisher(system.Client("publisher-api"), "page", _history, [_stream]);
        await publisher.PublishAsync(_stream, 3, Cancelled);
        var page = await OpenAsync();
        var rows = page.GetByTestId("event-row");
        await Assertions.Expect(rows).ToHaveCountAsync(3);

        await publisher.PublishAsync(_stream, 2, Cancelled);
        await Assertions.Expect(rows).ToHaveCountAsync(5);
        await Assertions.Expect(page.GetByTestId("connection-state")).ToContainTextAsync("live", new() { IgnoreCase = true });

        await page.GetByTestId("publish-type").FillAsync("from.the.page");
        await page.GetByTestId("publish-data").FillAsync("""{"hello": "page"}""");
        await page.GetByTestId("publish-submit").ClickAsync();

        await Assertions.Expect(rows).ToHaveCountAsync(6);
        await Assertions.Expect(rows.Filter(new() { HasText = "from.the.page" })).ToHaveCountAsync(1);
        await Assertions.Expect(page.GetByTestId("position")).ToContainTextAsync("-6");
    }

    [Fact]
    public async Task Page_lists_streams_and_opens_one_by_keyboard()
    {
        await using var publisher = new HttpPublisher(system.Client("publisher-api"), "page", _history, [_stream]);
        await publisher.PublishAsync(_stream, 1, Cancelled);
        var page = await _chromium!.Browser.NewPageAsync();
        await page.GotoAsync(system.App.GetEndpoint("stream-api", "http").ToString());

        var link = page.GetByTestId("stream-list").GetByTestId("stream-link").Filter(new() { HasText = _stream });
        await Assertions.Expect(link).ToBeVisibleAsync();
        await link.FocusAsync();
        await page.Keyboard.PressAsync("Enter");

        await Assertions.Expect(page.GetByTestId("event-row")).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task Page_takes_no_event_from_elsewhere_as_markup()
    {
        using var client = system.Client("publisher-api");
        using var content = new StringContent("""{"type":"<img src=x onerror=document.title='owned'>","data":"<script>document.title='owned'</script>"}""");
        content.Headers.ContentType = new("application/json");
        using var response = await client.PostAsync(new Uri($"/streams/{_stream}/events", UriKind.Relative), content, Cancelled);
        response.EnsureSuccessStatusCode();

        var page = await OpenAsync();

        await Assertions.Expect(page.GetByTestId("event-row")).ToHaveCountAsync(1);
        Assert.NotEqual("owned", await page.TitleAsync());
    }

    private async Task<IPage> OpenAsync()
    {
        var page = await _chromium!.Browser.NewPageAsync();
        await page.GotoAsync(string.Create(CultureInfo.InvariantCulture, $"{system.App.GetEndpoint("stream-api", "http")}#/streams/{_stream}"));
        return page;
    }
}
