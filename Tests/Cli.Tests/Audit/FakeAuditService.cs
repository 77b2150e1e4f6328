using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.Cli.Tests.Audit;

/// <summary>The part of the Stream API that audits: a listing in pages, and each stream's audit as the test chose it.</summary>
internal sealed class FakeAuditService : IAsyncDisposable
{
    private const int PageSize = 10;

    private readonly WebApplication _app;
    private int _underWay;

    private FakeAuditService()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").UseKestrelHttpsConfiguration();
        _app = builder.Build();
        _app.MapGet("/streams", ListAsync);
        _app.MapGet("/streams/{stream}/audit", AuditAsync);
    }

    public string Url => _app.Urls.First();

    /// <summary>Names as the listing has them, newest activity first.</summary>
    public List<string> Listed { get; } = [];

    /// <summary>Audits by stream; a listed stream without one is well and has 10 events.</summary>
    public Dictionary<string, string> Audits { get; } = [];

    public HashSet<string> Unknown { get; } = [];

    public ConcurrentQueue<string> Audited { get; } = new();

    public int MostAtOnce { get; private set; }

    /// <summary>Called with the number of the listing's request, from 1, before it is answered.</summary>
    public Action<int>? BeforeList { get; set; }

    /// <summary>Called before an audit is answered; true = it has been answered.</summary>
    public Func<HttpContext, string, Task<bool>>? BeforeAudit { get; set; }

    public int Listings { get; private set; }

    public static async Task<FakeAuditService> StartAsync()
    {
        var service = new FakeAuditService();
        await service._app.StartAsync(TestContext.Current.CancellationToken);
        return service;
    }

    public static string Document(
        string stream, long events = 10, string holes = "", long holeCount = 0, long duplicates = 0, long repeatedIds = 0, string more = "") =>
        $$"""{"stream":"{{stream}}","events":{{events}},"dead":0,"epochs":1,"restarts":0,"first":"5-1","last":"5-{{events}}","holes":[{{holes}}],"holeCount":{{holeCount}},"duplicates":{{duplicates}},"repeatedIds":{{repeatedIds}},"trimmed":false,"archivedTo":"5-{{events}}","hotLast":"5-{{events}}"{{more}}}""";

    public static Task ProblemAsync(HttpContext context, int status, string slug, string title)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/problem+json";
        return context.Response.WriteAsync($$"""{"type":"urn:aspirestreaming:problem:{{slug}}","title":"{{title}}","status":{{status}}}""");
    }

    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(1), TimeProvider.System);
        await _app.StopAsync(deadline.Token);
        await _app.DisposeAsync();
    }

    private Task ListAsync(HttpContext context, string? cursor = null)
    {
        BeforeList?.Invoke(++Listings);
        var skip = cursor is null ? 0 : int.Parse(cursor.AsSpan(2), provider: null);
        var names = Listed.Skip(skip).Take(PageSize).Select(static name => $$"""{"name":"{{name}}","first":"5-1","last":"5-10"}""");
        var next = skip + PageSize < Listed.Count ? $"\"c={skip + PageSize}\"" : "null";
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync($$"""{"streams":[{{string.Join(',', names)}}],"next":{{next}}}""", context.RequestAborted);
    }

    private async Task AuditAsync(HttpContext context, string stream)
    {
        lock (Audited)
        {
            MostAtOnce = Math.Max(MostAtOnce, ++_underWay);
        }

        Audited.Enqueue(stream);
        await Task.Yield();
        var answered = BeforeAudit is { } before && await before(context, stream);
        lock (Audited)
        {
            _underWay--;
        }

        if (answered)
        {
            return;
        }

        if (Unknown.Contains(stream) || !(Audits.ContainsKey(stream) || Listed.Contains(stream)))
        {
            await ProblemAsync(context, 404, "unknown-stream", "Not found");
            return;
        }

        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(Audits.GetValueOrDefault(stream, Document(stream)), context.RequestAborted);
    }
}
