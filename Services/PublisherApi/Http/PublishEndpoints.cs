namespace AspireStreaming.PublisherApi.Http;

/// <summary>The routes of the Publisher API; <see cref="PublishDocument"/> describes them.</summary>
internal static class PublishEndpoints
{
    public static void MapPublisher(this IEndpointRouteBuilder routes)
    {
        routes.MapPost(
            "/streams/{stream}/events", (string stream, HttpContext context, PublishHandler handler) => handler.PublishAsync(stream, context))
            .RequirePublish();
        routes.MapDelete(
            "/streams/{stream}", (string stream, HttpContext context, PublishHandler handler) => handler.DeleteAsync(stream, context))
            .RequirePublish();
    }
}
