using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Aspire.Hosting.Dashboard;

/// <summary>What the page asks the host for, under <c>/api/resources</c>.</summary>
internal sealed class DashboardApi(
    ResourceFeed feed, ResourceLoggerService loggers, ResourceCommandService commands, CancellationToken stoppingToken)
{
    private const int MaxLinesPerEvent = 500;

    // Line numbers start anew with the host: what a page has seen of an earlier one's means nothing.
    private static readonly string Instance = RandomNumberGenerator.GetHexString(8, lowercase: true);

    // The states of a start come in a burst; the page need not redraw for each.
    private static readonly TimeSpan UpdatePause = TimeSpan.FromMilliseconds(50);

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/resources", context => SendJsonAsync(context, feed.All()));
        routes.MapGet("/api/resources/watch", WatchAsync);
        routes.MapGet("/api/resources/{id}/logs", WatchLogAsync);
        routes.MapPost("/api/resources/{id}/commands/{command}", ExecuteAsync);
    }

    private static Task SendJsonAsync<T>(HttpContext context, T value) =>
        context.Response.WriteAsJsonAsync(value, JsonSerializerOptions.Web, context.RequestAborted);

    private static string RouteValue(HttpContext context, string name) => (string)context.Request.RouteValues[name]!;

    private static async Task IgnoreEndAsync(Func<Task> streaming)
    {
        try
        {
            await streaming();
        }
        catch (OperationCanceledException)
        {
            // The page was closed, or the host stops.
        }
    }

    /// <summary>First <c>all</c>, from which a page that reconnects also learns what is gone; then each change as <c>changed</c>.</summary>
    private Task WatchAsync(HttpContext context) => IgnoreEndAsync(async () =>
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stoppingToken);
        var stream = new EventStreamResponse(context.Response);
        await stream.StartAsync(ending.Token);
        var (version, views) = feed.ChangedSince(0);
        await stream.SendAsync("all", views, null, ending.Token);
        while (true)
        {
            if (!await WithinHeartbeatAsync(feed.ChangeAfter(version), ending.Token))
            {
                await stream.HeartbeatAsync(ending.Token);
                continue;
            }

            (version, views) = feed.ChangedSince(version);
            await stream.SendAsync("changed", views, null, ending.Token);
            await Task.Delay(UpdatePause, ending.Token);
        }
    });

    /// <summary>The lines kept so far and then new ones, as arrays of [number, is error, text].</summary>
    private async Task WatchLogAsync(HttpContext context)
    {
        var id = RouteValue(context, "id");
        if (!feed.Contains(id))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        var last = LastSeenLine(context.Request);
        await IgnoreEndAsync(async () =>
        {
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stoppingToken);
            var stream = new EventStreamResponse(context.Response);
            await stream.StartAsync(ending.Token);
            await using var batches = loggers.WatchAsync(id).GetAsyncEnumerator(ending.Token);
            var next = batches.MoveNextAsync().AsTask();
            try
            {
                while (true)
                {
                    if (!await WithinHeartbeatAsync(next, ending.Token))
                    {
                        await stream.HeartbeatAsync(ending.Token);
                        continue;
                    }

                    if (!await next)
                    {
                        return;
                    }

                    foreach (var lines in batches.Current.Where(line => line.LineNumber > last).Chunk(MaxLinesPerEvent))
                    {
                        object[] data = [.. lines.Select(line => new object[]
                        {
                            line.LineNumber, line.IsErrorMessage, TerminalText.Clean(line.Content, keepColours: false),
                        })];
                        await stream.SendAsync("lines", data, $"{Instance}-{lines[^1].LineNumber}", ending.Token);
                    }

                    next = batches.MoveNextAsync().AsTask();
                }
            }
            finally
            {
                // An enumerator may be disposed of only when it rests.
                await ending.CancelAsync();
                await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        });
    }

    private async Task ExecuteAsync(HttpContext context)
    {
        var id = RouteValue(context, "id");
        if (!feed.Contains(id))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        // Not the request's token: a command is not undone by closing the page.
        var result = await commands.ExecuteCommandAsync(id, RouteValue(context, "command"), stoppingToken);
        if (!result.Success)
        {
            context.Response.StatusCode = StatusCodes.Status409Conflict;
        }

        await SendJsonAsync(context, new { result.Success, result.Canceled, Message = SecretMask.Text(result.Message ?? "") });
    }

    /// <summary>A browser names it when it reconnects by itself, the page when it comes back.</summary>
    private static int LastSeenLine(HttpRequest request)
    {
        var header = request.Headers["Last-Event-ID"].ToString();
        var id = header.Length > 0 ? header : request.Query["after"].ToString();
        return id.Split('-') is [var instance, var number]
            && instance == Instance
            && int.TryParse(number, CultureInfo.InvariantCulture, out var last) ? last : 0;
    }

    /// <summary>False when it is time for a sign of life before the task has completed.</summary>
    private static async Task<bool> WithinHeartbeatAsync(Task task, CancellationToken cancellationToken)
    {
        try
        {
            await task.WaitAsync(EventStreamResponse.HeartbeatInterval, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
