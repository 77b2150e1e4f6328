using System.Diagnostics.Metrics;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Listing;
using AspireStreaming.StreamApi.Pages;
using AspireStreaming.StreamApi.Sse;

namespace AspireStreaming.StreamApi;

/// <summary>The delivering service.</summary>
public static class StreamApiApp
{
    /// <summary>Builds the service; configuration may come as arguments.</summary>
    public static WebApplication Create(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.AddStreamApi();
        var app = builder.Build();
        app.UseServiceDefaults();
        app.MapDefaultEndpoints();
        app.MapGet("/streams/{stream}/events", ServeEventsAsync);
        app.MapStreams();
        app.MapConnections();
        app.MapGet("/stats", (Stats stats) => TypedResults.Json(stats.Describe(), StreamApiJson.Default.StatsDocument));
        app.ObserveMetrics();
        return app;
    }

    private static async Task<IResult> ServeEventsAsync(HttpContext context, string stream, SseEndpoint sse, PageReader pages)
    {
        switch (EventsRequest.FormOf(context.Request))
        {
            case EventsForm.Sse:
                return EventsRequest.TryReadSse(context.Request, stream, out var live) ?? await sse.ServeAsync(context, live!);
            case EventsForm.Page:
                return EventsRequest.TryReadPage(context.Request, stream, out var page)
                    ?? await Dependencies.GuardAsync(context, async () => await pages.ReadAsync(page!, context.RequestAborted));
            default:
                return Problems.NotAcceptable();
        }
    }

    private static void ObserveMetrics(this WebApplication app)
    {
        var stats = app.Services.GetRequiredService<Stats>();
        var feeds = app.Services.GetRequiredService<Delivery.FeedRegistry>();
        var budget = app.Services.GetRequiredService<Delivery.WindowBudget>();
        app.Services.GetRequiredService<StreamApiMetrics>().Observe(
            () => Measure(stats.CountTransports(), "transport"), () => Measure(stats.CountTiers(), "tier"), () => feeds.Count, () => budget.Used);
    }

    private static IEnumerable<Measurement<int>> Measure(Dictionary<string, int> counts, string tag) =>
        counts.Select(pair => new Measurement<int>(pair.Value, new KeyValuePair<string, object?>(tag, pair.Key)));
}
