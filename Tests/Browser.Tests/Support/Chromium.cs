using Microsoft.Playwright;

namespace AspireStreaming.Browser.Tests.Support;

/// <summary>A real Chromium without a window.</summary>
public sealed class Chromium : IAsyncDisposable
{
    private static readonly string[] Programs = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

    private readonly IPlaywright _playwright;

    private Chromium(IPlaywright playwright, IBrowser browser)
    {
        _playwright = playwright;
        Browser = browser;
    }

    /// <summary>Why none can be started, for <c>Assert.SkipWhen</c>; null: it can.</summary>
    public static string? UnavailableReason { get; } = Array.Exists(Programs, File.Exists) ? null : "no Chromium is installed";

    public IBrowser Browser { get; }

    public static async Task<Chromium> StartAsync()
    {
        var playwright = await Playwright.CreateAsync();
        var browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Array.Find(Programs, File.Exists),
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
            ],
        });
        return new Chromium(playwright, browser);
    }

    public async ValueTask DisposeAsync()
    {
        await Browser.DisposeAsync();
        _playwright.Dispose();
    }
}
