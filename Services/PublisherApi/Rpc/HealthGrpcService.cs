using AspireStreaming.PublisherApi.Http;
using AspireStreaming.V1;
using Grpc.Core;
using Grpc.Health.V1;

namespace AspireStreaming.PublisherApi.Rpc;

/// <summary>
/// The standard health protocol. Serving as long as the service does not stop: without Redis it must stay reachable to say so.
/// </summary>
internal sealed class HealthGrpcService(LongRequests longRequests) : Health.HealthBase
{
    private static readonly string[] Services = ["", Publisher.Descriptor.FullName];

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) =>
        Services.Contains(request.Service)
        ? Task.FromResult(Current())
        : throw new RpcException(new Status(StatusCode.NotFound, $"No service '{request.Service}' here."));

    public override Task<HealthListResponse> List(HealthListRequest request, ServerCallContext context)
    {
        var response = new HealthListResponse();
        foreach (var service in Services)
        {
            response.Statuses.Add(service, Current());
        }

        return Task.FromResult(response);
    }

    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        var known = Services.Contains(request.Service);
        longRequests.Started();
        try
        {
            await responseStream.WriteAsync(
                known ? Current() : new HealthCheckResponse { Status = HealthCheckResponse.Types.ServingStatus.ServiceUnknown },
                context.CancellationToken);
            var ending = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = longRequests.Ending.Register(() => ending.TrySetResult());
            await ending.Task.WaitAsync(context.CancellationToken);
            if (known)
            {
                await responseStream.WriteAsync(Current(), context.CancellationToken);
            }
        }
        finally
        {
            longRequests.Ended();
        }
    }

    private HealthCheckResponse Current() => new()
    {
        Status = longRequests.Ending.IsCancellationRequested
            ? HealthCheckResponse.Types.ServingStatus.NotServing
            : HealthCheckResponse.Types.ServingStatus.Serving,
    };
}
