#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A queue of bytes between one writer and one reader. When it is full the writer waits. */
struct ring {
    unsigned char *data;
    size_t capacity;
    size_t head;
    size_t used;
    bool closed;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

int ring_init(struct ring *ring, size_t capacity)
{
    memset(ring, 0, sizeof(*ring));
    ring->data = malloc(capacity);
    if (ring->data == NULL)
        return -ENOMEM;
    ring->capacity = capacity;
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->changed, NULL);
    return 0;
}

void ring_destroy(struct ring *ring)
{
    pthread_cond_destroy(&ring->changed);
    pthread_mutex_destroy(&ring->lock);
    free(ring->data);
}

int ring_write(struct ring *ring, const unsigned char *src, size_t size)
{
    pthread_mutex_lock(&ring->lock);
    while (size > 0 && !ring->closed) {
        size_t room = ring->capacity - ring->used;
        if (room == 0) {
            pthread_cond_wait(&ring->changed, &ring->lock);
            continue;
        }
        size_t tail = (ring->head + ring->used) % ring->capacity;
        size_t part = size < room ? size : room;
        if (part > ring->capacity - tail)
            part = ring->capacity - tail;
        memcpy(ring->data + tail, src, part);
        ring->used += part;
        src += part;
        size -= part;
        pthread_cond_signal(&ring->changed);
    }
    pthread_mutex_unlock(&ring->lock);
    return size > 0 ? -EPIPE : 0;
}
