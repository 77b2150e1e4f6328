namespace AspireStreaming.StreamApi.Page;

/// <summary>Pages of other origins that may read: those listed in <c>Cors:Origins</c>, by default none.</summary>
internal static class CrossOrigin
{
    private const string Section = "Cors:Origins";

    /// <summary>Allows the origins listed.</summary>
    public static void AddCrossOrigin(this WebApplicationBuilder builder)
    {
        var origins = builder.Configuration.GetSection(Section).Get<string[]>() ?? [];
        builder.Services.AddCors(cors => cors.AddDefaultPolicy(policy => policy
            .WithOrigins(origins)
            .WithMethods(HttpMethods.Get)
            .AllowAnyHeader()
            .AllowCredentials()
            .WithExposedHeaders("Retry-After")));
    }
}
