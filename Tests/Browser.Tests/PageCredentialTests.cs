using System.Globalization;
using AspireStreaming.Browser.Tests.Support;
using AspireStreaming.PublisherApi;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Processes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Playwright;

namespace AspireStreaming.Browser.Tests;

/// <summary>The page where callers need a credential: a cookie opens it, what is typed in says who reads and publishes.</summary>
public sealed class PageCredentialTests(RedisFixture redis, ChromiumFixture browser) : IAsyncLifetime
{
    private const string Key = "page-key-of-the-tests";

    private readonly string _stream = TestLog.NewStream("guarded");
    private StreamApiHost _host = null!;
    private WebApplication _publisher = null!;
    private IBrowserContext _context = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _context = await browser.Chromium.Browser.NewContextAsync();
        string[] auth =
        [
            $"--Auth:Jwt:Secret={TokenIssuer.Secret}", "--Auth:ApiKeys:0:Name=page", $"--Auth:ApiKeys:0:Key={Key}",
            "--Auth:ApiKeys:0:Publish:0=*", "--Auth:ApiKeys:0:Subscribe:0=*",
        ];
        var publisher = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{ServerPorts.PickFree()}");
        _host = await StreamApiHost.StartAsync(redis.Process.ConnectionString, [.. auth, $"--Page:PublisherUrl={publisher}"]);
        _publisher = PublisherApp.Create(
        [
            "--environment=Development", $"--ConnectionStrings:redis={redis.Process.ConnectionString}",
            "--ConnectionStrings:events=Host=127.0.0.1;Port=1;Username=x;Password=x;Database=x;Timeout=1",
            $"--Kestrel:Endpoints:http:Url={publisher}", "--Kestrel:Endpoints:grpc:Url=http://127.0.0.2:0",
            $"--services:stream-api:http:0={_host.Http}", "--Logging:LogLevel:Default=Error", .. auth,
        ]);
        await _publisher.StartAsync(Cancelled);
        await redis.Log.AppendNumbersAsync(_stream, 1, 2);
    }

    public async ValueTask DisposeAsync()
    {
        if (_publisher is not null)
        {
            await _context.DisposeAsync();
            await _publisher.StopAsync(CancellationToken.None);
            await _publisher.DisposeAsync();
            await _host.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Page_reads_and_publishes_with_what_is_typed_in_until_it_is_forgotten(bool isKey)
    {
        // The cookie may open the page and nothing else.
        var page = await OpenAsync("""{"sub":"nobody"}""");
        await Assertions.Expect(page.GetByTestId("connection-state")).ToHaveAttributeAsync("data-tone", "bad");
        await PublishAsync(page);
        await Assertions.Expect(page.GetByTestId("publish-result")).ToHaveAttributeAsync("data-tone", "bad");

        await UseAsync(page, isKey ? Key : TokenIssuer.Hs256(TokenIssuer.Claims("""{"sub":"page","publish":["*"],"subscribe":["*"]}""")));

        var rows = page.GetByTestId("event-row");
        await Assertions.Expect(rows).ToHaveCountAsync(2);
        await Assertions.Expect(page.GetByTestId("connection-state")).ToContainTextAsync("live");
        await PublishAsync(page);
        await Assertions.Expect(page.GetByTestId("publish-result")).ToHaveAttributeAsync("data-tone", "good");
        await Assertions.Expect(rows).ToHaveCountAsync(3);

        await page.GetByTestId("credential-forget").ClickAsync();
        await Assertions.Expect(page.GetByTestId("connection-state")).ToHaveAttributeAsync("data-tone", "bad");
        await Assertions.Expect(rows).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task Page_keeps_what_was_typed_in_over_a_reload_in_this_tab_only()
    {
        var page = await OpenAsync("""{"sub":"nobody"}""");
        await UseAsync(page, Key);
        await Assertions.Expect(page.GetByTestId("event-row")).ToHaveCountAsync(2);

        await page.ReloadAsync();
        await Assertions.Expect(page.GetByTestId("event-row")).ToHaveCountAsync(2);
        Assert.DoesNotContain(Key, page.Url, StringComparison.Ordinal);

        var other = await OpenAsync("""{"sub":"nobody"}""");
        await Assertions.Expect(other.GetByTestId("connection-state")).ToHaveAttributeAsync("data-tone", "bad");
    }

    private static async Task UseAsync(IPage page, string credential)
    {
        await page.GetByText("Token or API key").ClickAsync();
        await page.GetByTestId("credential").FillAsync(credential);
        await page.GetByTestId("credential-use").ClickAsync();
    }

    private static async Task PublishAsync(IPage page)
    {
        await page.GetByTestId("publish-submit").ClickAsync();
        await Assertions.Expect(page.GetByTestId("publish-submit")).ToBeEnabledAsync();
    }

    private async Task<IPage> OpenAsync(string claims)
    {
        await _context.AddCookiesAsync(
        [
            new Cookie { Name = "aspirestreaming", Value = TokenIssuer.Hs256(TokenIssuer.Claims(claims)), Url = _host.Http.ToString() },
        ]);
        var page = await _context.NewPageAsync();
        await page.GotoAsync($"{_host.Http}#/streams/{_stream}");
        return page;
    }
}
