using System.Text;
using AspireStreaming.Grpc.Tests.Protos;
using Google.Protobuf;
using Grpc.Core;

namespace AspireStreaming.Grpc.Tests.Hosting;

internal sealed class ProbeService(CallLog calls) : Probe.ProbeBase
{
    // How many writes a loop may make between two yields; see Expand.
    private const int WritesPerYield = 64;

    public override async Task<Message> Echo(Message request, ServerCallContext context)
    {
        var headers = new Metadata();
        foreach (var entry in context.RequestHeaders)
        {
            if (entry.Key.StartsWith("echo-", StringComparison.Ordinal))
            {
                headers.Add(entry);
            }
            else if (entry.Key.StartsWith("trail-", StringComparison.Ordinal))
            {
                context.ResponseTrailers.Add(entry);
            }
        }

        if (headers.Count > 0)
        {
            await context.WriteResponseHeadersAsync(headers);
        }

        var reply = request.Clone();
        reply.RequestEncoding = context.GetHttpContext().Request.Headers["grpc-encoding"].ToString();
        return reply;
    }

    public override Task<Message> Fail(FailRequest request, ServerCallContext context) => request.Code < 0
        ? throw new InvalidOperationException(request.Detail)
        : throw new RpcException(new Status((StatusCode)request.Code, request.Detail), new Metadata { { "reason", "asked for" } });

    public override async Task<Message> Hang(Message request, ServerCallContext context)
    {
        calls.SetStarted(request.Text);
        try
        {
            return await new TaskCompletionSource<Message>().Task.WaitAsync(context.CancellationToken);
        }
        finally
        {
            calls.SetCancelled(request.Text);
        }
    }

    public override async Task<Message> Collect(IAsyncStreamReader<Message> requestStream, ServerCallContext context)
    {
        var texts = new StringBuilder();
        var count = 0;
        await foreach (var message in requestStream.ReadAllAsync(context.CancellationToken))
        {
            texts.Append(message.Text);
            count++;
        }

        return new Message { Text = texts.ToString(), Number = count };
    }

    /// <remarks>
    /// Writes to a connection that keeps up, and to one that is gone, complete synchronously: such a loop never leaves its thread.
    /// As many of them as there are cores keep the pool from running anything else, the work that would fire their cancellation
    /// tokens included. Yielding puts the loop behind that work.
    /// </remarks>
    public override async Task Expand(ExpandRequest request, IServerStreamWriter<Message> responseStream, ServerCallContext context)
    {
        calls.SetStarted(request.Text);
        var data = UnsafeByteOperations.UnsafeWrap(new byte[request.Size]);
        try
        {
            for (var number = 1; request.Count == 0 || number <= request.Count; number++)
            {
                await responseStream.WriteAsync(
                    new Message { Text = request.Text, Number = number, Data = data }, context.CancellationToken);
                if (number == request.FailAfter)
                {
                    throw new RpcException(new Status(StatusCode.DataLoss, $"after {number}"));
                }

                if (number == request.HangAfter)
                {
                    await new TaskCompletionSource().Task.WaitAsync(context.CancellationToken);
                }

                if (number % WritesPerYield == 0)
                {
                    await Task.Yield();
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or InvalidOperationException
            && context.CancellationToken.IsCancellationRequested)
        {
            // InvalidOperationException: the write met the completed call before the token fired.
            calls.SetCancelled(request.Text);
            throw;
        }
    }

    public override async Task Chat(
        IAsyncStreamReader<Message> requestStream, IServerStreamWriter<Message> responseStream, ServerCallContext context)
    {
        var number = 0;
        await foreach (var message in requestStream.ReadAllAsync(context.CancellationToken))
        {
            await responseStream.WriteAsync(new Message { Text = message.Text, Number = ++number }, context.CancellationToken);
        }
    }
}
