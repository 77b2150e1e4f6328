using Grpc.Core;
using Grpc.Health.V1;

namespace AspireStreaming.Streaming.Rpc;

/// <summary>
/// The standard health protocol. Serving as long as the service does not stop: without Redis it must stay reachable to say so.
/// </summary>
/// <param name="service">The full name of the gRPC service whose health this is; the empty name stands for the whole server.</param>
/// <param name="onWatch">Called when somebody begins to watch, which may last as long as the service.</param>
/// <param name="onWatched">Called when that is over.</param>
/// <param name="stopping">Cancelled when the service stops.</param>
public sealed class HealthGrpcService(string service, Action onWatch, Action onWatched, CancellationToken stopping) : Health.HealthBase
{
    /// <inheritdoc/>
    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) =>
        IsKnown(request.Service)
        ? Task.FromResult(Current())
        : throw new RpcException(new Status(StatusCode.NotFound, $"No service '{request.Service}' here."));

    /// <inheritdoc/>
    public override Task<HealthListResponse> List(HealthListRequest request, ServerCallContext context)
    {
        var response = new HealthListResponse();
        foreach (var name in new[] { "", service })
        {
            response.Statuses.Add(name, Current());
        }

        return Task.FromResult(response);
    }

    /// <inheritdoc/>
    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        var known = IsKnown(request.Service);
        onWatch();
        try
        {
            await responseStream.WriteAsync(
                known ? Current() : new HealthCheckResponse { Status = HealthCheckResponse.Types.ServingStatus.ServiceUnknown },
                context.CancellationToken).ConfigureAwait(false);
            var ending = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = stopping.Register(() => ending.TrySetResult());
            await ending.Task.WaitAsync(context.CancellationToken).ConfigureAwait(false);
            if (known)
            {
                await responseStream.WriteAsync(Current(), context.CancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            onWatched();
        }
    }

    private bool IsKnown(string name) => name.Length == 0 || name == service;

    private HealthCheckResponse Current() => new()
    {
        Status = stopping.IsCancellationRequested
            ? HealthCheckResponse.Types.ServingStatus.NotServing
            : HealthCheckResponse.Types.ServingStatus.Serving,
    };
}
