using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.Cli.Tests.Fakes;

/// <summary>Publisher API and Stream API in one, in memory, with the contract's behaviour as far as the client sees it.</summary>
internal sealed class FakeService : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, FakeStream> _streams = new();
    private readonly Lock _gate = new();

    private FakeService()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(static options => options.Limits.MaxRequestBodySize = 4 * 1024 * 1024);
        _app = builder.Build();
        _app.Use((context, next) =>
        {
            Callers.Enqueue((context.Request.Headers.Authorization, context.Request.Headers["X-Api-Key"]));
            return next(context);
        });
        _app.MapPost("/streams/{stream}/events", PublishAsync);
        _app.MapGet("/streams/{stream}", DescribeAsync);
        _app.MapGet("/streams/{stream}/events", ReadAsync);
    }

    public string Url => _app.Urls.First();

    /// <summary>Bodies of the publish requests as they came, refused ones too.</summary>
    public ConcurrentQueue<byte[]> Published { get; } = new();

    /// <summary>Number of events in each batch that was taken.</summary>
    public ConcurrentQueue<int> Batches { get; } = new();

    /// <summary>Called with the number of the publish request (from 1) before it is looked at; true = it has been answered.</summary>
    public Func<HttpContext, int, Task<bool>>? BeforePublish { get; set; }

    /// <summary>Called after the batch was appended, before it is answered; true = the answer shall get lost.</summary>
    public Func<int, bool>? LoseAnswer { get; set; }

    /// <summary>Scripts of the live connections, one after another; the last one serves all further ones.</summary>
    public List<Func<Sse, Task>> Connections { get; } = [];

    /// <summary>What live connections asked for: Last-Event-ID and query.</summary>
    public ConcurrentQueue<(string? LastEventId, string Query)> Opened { get; } = new();

    /// <summary>What requests said of who they are from: Authorization and X-Api-Key.</summary>
    public ConcurrentQueue<(string? Authorization, string? ApiKey)> Callers { get; } = new();

    /// <summary>Called before a stream is described.</summary>
    public Action<FakeStream>? BeforeDescribe { get; set; }

    /// <summary>Answers every read with this status.</summary>
    public int? ReadStatus { get; set; }

    public FakeStream this[string name] => _streams.GetOrAdd(name, static name => new FakeStream(name));

    public static async Task<FakeService> StartAsync()
    {
        var service = new FakeService();
        await service._app.StartAsync(TestContext.Current.CancellationToken);
        return service;
    }

    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(1), TimeProvider.System);
        await _app.StopAsync(deadline.Token);
        await _app.DisposeAsync();
    }

    private async Task PublishAsync(HttpContext context, string stream)
    {
        var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        Published.Enqueue(body.ToArray());
        if (BeforePublish is { } before && await before(context, Published.Count))
        {
            return;
        }

        var (status, answer) = Append(this[stream], body.ToArray());
        if (LoseAnswer?.Invoke(Published.Count) == true)
        {
            context.Abort();
            return;
        }

        context.Response.StatusCode = status;
        context.Response.ContentType = status == 200 ? "application/json" : "application/problem+json";
        await context.Response.WriteAsync(answer, context.RequestAborted);
    }

    private (int Status, string Answer) Append(FakeStream stream, byte[] body)
    {
        using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 1000 });
        var events = document.RootElement.EnumerateArray().ToArray();
        lock (_gate)
        {
            for (var index = 0; index < events.Length; index++)
            {
                foreach (var reserved in new[] { "stream", "position", "sequence", "recordedtime", "firstposition" })
                {
                    if (events[index].TryGetProperty(reserved, out _))
                    {
                        return (400, $$"""{"type":"urn:aspirestreaming:problem:invalid-event","title":"Invalid event","status":400,"detail":"{{reserved}} is reserved","index":{{index}}}""");
                    }
                }

                if (index < events.Length - 1 && events[index].GetProperty("type").GetString() is "WORKFLOW_COMPLETED" or "STREAM_END")
                {
                    return (400, $$"""{"title":"A terminal event must be the last of its batch","status":400,"index":{{index}}}""");
                }

                if (events[index].GetProperty("type").GetString() == "REFUSED")
                {
                    return (400, $$"""{"title":"Invalid event","status":400,"detail":"this type is refused","index":{{index}}}""");
                }
            }

            var duplicates = events.Count(item => stream.Positions.ContainsKey(Key(item)));
            if (duplicates < events.Length && stream.EndType is { } end)
            {
                return (409, $$"""{"type":"urn:aspirestreaming:problem:stream-ended","title":"The stream has ended","status":409,"detail":"ended by {{end}}","current":"{{stream.Last}}"}""");
            }

            foreach (var item in events.Where(item => !stream.Positions.ContainsKey(Key(item))))
            {
                var data = item.TryGetProperty("data", out var value) ? value.GetRawText() : "null";
                var appended = stream.Append(item.GetProperty("type").GetString()!, data, item.GetProperty("id").GetString()!, Source(item));
                stream.Positions.Add(Key(item), appended.Position);
            }

            Batches.Enqueue(events.Length);
            return (200, $$"""{"stream":"s","first":"{{stream.Positions[Key(events[0])]}}","last":"{{stream.Positions[Key(events[^1])]}}","accepted":{{events.Length - duplicates}},"duplicates":{{duplicates}},"durability":"log"}""");
        }
    }

    private static string Source(JsonElement item) => item.TryGetProperty("source", out var source) ? source.GetString()! : "/publisher";

    private static string Key(JsonElement item) => Source(item) + "\n" + item.GetProperty("id").GetString();

    private Task DescribeAsync(HttpContext context, string stream)
    {
        if (ReadStatus is { } status)
        {
            context.Response.StatusCode = status;
            return Task.CompletedTask;
        }

        if (!_streams.TryGetValue(stream, out var found))
        {
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        }

        BeforeDescribe?.Invoke(found);
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(
            $$"""{"name":"{{stream}}","first":"{{found.First ?? "0-0"}}","last":"{{found.Last ?? "0-0"}}","count":{{found.Combined.Count}},"archivedTo":"{{found.ArchivedTo ?? "0-0"}}","subscribers":0,"state":"{{(found.EndType is null ? "running" : "ended")}}"}""",
            context.RequestAborted);
    }

    private async Task ReadAsync(HttpContext context, string stream)
    {
        if (ReadStatus is { } status)
        {
            context.Response.StatusCode = status;
            return;
        }

        if (context.Request.Headers.Accept == "text/event-stream")
        {
            var sse = new Sse(context, this[stream], _app.Lifetime.ApplicationStopping);
            Opened.Enqueue((sse.LastEventId, sse.Query));
            await Connections[Math.Min(Opened.Count, Connections.Count) - 1](sse);
            await sse.FinishAsync();
            return;
        }

        await PageAsync(context, this[stream]);
    }

    private static Task PageAsync(HttpContext context, FakeStream stream)
    {
        var events = context.Request.Query["tier"].ToString() switch
        {
            "archive" => stream.Archive,
            "log" => stream.Log,
            _ => stream.Combined,
        };
        var from = context.Request.Query["from"].ToString();
        var limit = int.Parse(context.Request.Query["limit"].ToString(), provider: null);
        var start = from == "start" ? 0 : events.FindLastIndex(item => item.Position == from) + 1;
        var page = events.Skip(start).Take(limit).ToArray();
        var next = page.Length > 0 ? page[^1].Position : from == "start" ? "0-0" : from;
        var gap = page.Select(item => stream.Gaps.GetValueOrDefault(item.Position)).FirstOrDefault(gap => gap is not null) ?? "null";
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(
            $$"""{"stream":"s", "events": [{{string.Join(", ", page.Select(item => item.Json))}}],"next":"{{next}}","caughtUp":{{(start + page.Length == events.Count ? "true" : "false")}},"gap":{{gap}},"end":null}""",
            context.RequestAborted);
    }
}
