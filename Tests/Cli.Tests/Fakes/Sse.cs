using System.Text;
using Microsoft.AspNetCore.Http;

namespace AspireStreaming.Cli.Tests.Fakes;

/// <summary>Writes the frames of a scripted connection.</summary>
internal sealed class Sse(HttpContext context, FakeStream stream, CancellationToken stopping)
{
    private bool _cut;

    public string? LastEventId => context.Request.Headers["Last-Event-ID"];

    public string Query => context.Request.QueryString.Value ?? "";

    public async Task StartAsync(string? cursor = "0-0", int retry = 1)
    {
        context.Response.ContentType = "text/event-stream";
        await WriteAsync($"retry: {retry}\n: hello\n\n" + (cursor is null ? "" : $"id: {cursor}\n\n"));
    }

    public Task EventAsync(long sequence, string type = "chunk", long epoch = FakeStream.Epoch)
    {
        var position = FakeStream.At(sequence, epoch);
        return WriteAsync($"id: {position}\nevent: {type}\ndata: {stream.Delivered(position, type, $"{{\"n\":{sequence}}}")}\n\n");
    }

    public Task ControlAsync(string name, string json) => WriteAsync($"event: {name}\ndata: {json}\n\n");

    /// <summary>Writes one chunk of the body, chunked by hand so that <see cref="Cut"/> can leave out its end.</summary>
    public async Task WriteAsync(string text)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.Headers.TransferEncoding = "chunked";
            context.Response.Headers.Connection = "close";
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        await context.Response.Body.WriteAsync(Encoding.ASCII.GetBytes($"{bytes.Length:x}\r\n"), context.RequestAborted);
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
        await context.Response.Body.WriteAsync("\r\n"u8.ToArray(), context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    /// <summary>The connection breaks after what was written; unlike a reset, this lets the client read all of it.</summary>
    public void Cut() => _cut = true;

    public async Task FinishAsync()
    {
        if (context.Response.HasStarted && !_cut && !context.RequestAborted.IsCancellationRequested)
        {
            await context.Response.Body.WriteAsync("0\r\n\r\n"u8.ToArray(), context.RequestAborted);
        }
    }

    /// <summary>Stays open until the client leaves or the service stops.</summary>
    public async Task HoldAsync()
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (context.RequestAborted.Register(() => left.TrySetResult()))
        await using (stopping.Register(() => left.TrySetResult()))
        {
            await left.Task;
        }

        Cut();
    }

    public Task RefuseAsync(int status)
    {
        context.Response.StatusCode = status;
        return context.Response.CompleteAsync();
    }

    public void NoContent() => context.Response.StatusCode = StatusCodes.Status204NoContent;
}
