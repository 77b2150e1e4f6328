namespace AspireStreaming.PublisherApi.Http;

/// <summary>The routes of the Publisher API.</summary>
internal static class PublishEndpoints
{
    public static void MapPublisher(this IEndpointRouteBuilder routes)
    {
        var streams = routes.MapGroup("/streams").WithTags("Publish");
        streams.MapPost(
            "/{stream}/events", (string stream, HttpContext context, PublishHandler handler) => handler.PublishAsync(stream, context))
            .RequirePublish()
            .WithName("PublishEvents")
            .WithSummary("Append events to a stream")
            .WithDescription(
                "One event or an array (application/json), CloudEvents structured, batch or binary (ce-* headers), or NDJSON. "
                + "Query: expected=<position>, durability=log|archived, timeout=<seconds>.")
            .Produces<PublishedBody>()
            .Produces<PublishedBody>(StatusCodes.Status202Accepted)
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status401Unauthorized)
            .ProducesProblem(StatusCodes.Status403Forbidden)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status429TooManyRequests)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        streams.MapDelete("/{stream}", (string stream, HttpContext context, PublishHandler handler) => handler.DeleteAsync(stream, context))
            .RequirePublish()
            .WithName("DeleteStream")
            .WithSummary("Delete a stream from the hot log, and with archive=true from the archive too")
            .Produces(StatusCodes.Status204NoContent)
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status401Unauthorized)
            .ProducesProblem(StatusCodes.Status403Forbidden)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
    }

    /// <summary>Describes the body for OpenAPI; <see cref="PublishAnswer"/> writes it.</summary>
    internal sealed record PublishedBody(
        string Stream, string First, string Last, long Accepted, long Duplicates, string Durability, string? Idempotency);
}
