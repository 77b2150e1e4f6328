using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;

namespace AspireStreaming.AppHost.Tests;

/// <summary>A subscriber as a browser's EventSource is one: it reconnects with the last id for as long as it lives.</summary>
internal sealed class Subscriber : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly HttpClient _client;
    private readonly string _stream;
    private readonly History _history;
    private readonly Task _running;
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _lastId;

    public Subscriber(HttpClient client, string stream, History history)
    {
        _client = client;
        _stream = stream;
        _history = history;
        _running = RunAsync();
    }

    public Task Connected => _connected.Task;

    public int Connections { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _client.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (await ReadAsync())
                {
                    return;
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException || _stop.IsCancellationRequested)
            {
                // The point of the exercise: a reconnect resumes.
            }

            await Reconnecting.PauseAsync(_stop.Token);
        }
    }

    private async Task<bool> ReadAsync()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/streams/{_stream}/events");
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (_lastId is not null)
        {
            request.Headers.Add("Last-Event-ID", _lastId);
        }

        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _stop.Token);
        if (response.StatusCode == HttpStatusCode.NoContent)
        {
            return true;
        }

        response.EnsureSuccessStatusCode();
        Connections++;
        await using var body = await response.Content.ReadAsStreamAsync(_stop.Token);
        await foreach (var item in SseParser.Create(body).EnumerateAsync(_stop.Token))
        {
            _connected.TrySetResult();
            if (item.EventType.StartsWith("stream.", StringComparison.Ordinal))
            {
                _history.Announce(item.EventType, item.Data);
                if (item.EventType == "stream.end")
                {
                    return true;
                }
            }
            else
            {
                using var json = JsonDocument.Parse(item.Data);
                _history.See(json.RootElement.GetProperty("position").GetString()!, json.RootElement.GetProperty("id").GetString()!);
                _lastId = item.EventId;
            }
        }

        return false;
    }
}

/// <summary>The pause between two tries of a client, as real clients make one.</summary>
internal static class Reconnecting
{
    public static async Task PauseAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        try
        {
            await timer.WaitForNextTickAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Stopped while waiting.
        }
    }
}
